//! tokio-postgres, which speaks the binary formats and pipelines, against a server within this process.

use futures::{SinkExt, StreamExt, pin_mut};
use testkit::TestServer;
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage, error::SqlState};

async fn connect(server: &TestServer) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&server.parameters(), NoTls).await.expect("the server in this process answers");
    tokio::spawn(connection);
    client
}

fn sqlstate(error: &Error) -> SqlState {
    error.code().unwrap_or_else(|| panic!("not the server's error: {error}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_in_binary() {
    let server = TestServer::start().await.unwrap();
    let client = connect(&server).await;
    client
        .batch_execute(
            "CREATE TABLE t (a smallint, b int, c bigint, d real, e float8, f text, g bool, h bytea, i int[], j text[])",
        )
        .await
        .unwrap();
    let insert = client.prepare("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)").await.unwrap();
    let texts = vec![Some("x"), None];
    let count = client
        .execute(
            &insert,
            &[&1i16, &-2i32, &3i64, &1.5f32, &-2.5f64, &"text", &true, &b"\0\xff".as_slice(), &vec![1, 2, 3], &texts],
        )
        .await
        .unwrap();
    assert_eq!(count, 1);
    client
        .execute(
            &insert,
            &[
                &None::<i16>,
                &None::<i32>,
                &None::<i64>,
                &None::<f32>,
                &None::<f64>,
                &None::<&str>,
                &None::<bool>,
                &None::<&[u8]>,
                &None::<Vec<i32>>,
                &None::<Vec<&str>>,
            ],
        )
        .await
        .unwrap();
    let rows = client.query("SELECT * FROM t ORDER BY a NULLS LAST", &[]).await.unwrap();
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!((row.get::<_, i16>("a"), row.get::<_, i32>("b"), row.get::<_, i64>("c")), (1, -2, 3));
    assert_eq!((row.get::<_, f32>("d"), row.get::<_, f64>("e")), (1.5, -2.5));
    assert_eq!(
        (row.get::<_, &str>("f"), row.get::<_, bool>("g"), row.get::<_, &[u8]>("h")),
        ("text", true, b"\0\xff".as_slice())
    );
    assert_eq!(row.get::<_, Vec<i32>>("i"), [1, 2, 3]);
    assert_eq!(row.get::<_, Vec<Option<&str>>>("j"), [Some("x"), None]);
    assert_eq!(rows[1].get::<_, Option<i32>>("b"), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_their_fields() {
    let server = TestServer::start().await.unwrap();
    let client = connect(&server).await;
    client.batch_execute("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)").await.unwrap();
    let error = client.execute("INSERT INTO t VALUES ($1)", &[&1i32]).await.unwrap_err();
    let fields = error.as_db_error().unwrap();
    assert_eq!(*fields.code(), SqlState::UNIQUE_VIOLATION);
    assert_eq!(
        (fields.table(), fields.constraint(), fields.detail()),
        (Some("t"), Some("t_pkey"), Some("Key (a)=(1) already exists."))
    );
    let error = client.query("SELECT missing FROM t", &[]).await.unwrap_err();
    assert_eq!(sqlstate(&error), SqlState::UNDEFINED_COLUMN);
    // The session goes on.
    assert_eq!(client.query_one("SELECT a FROM t", &[]).await.unwrap().get::<_, i32>(0), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_and_portals() {
    let server = TestServer::start().await.unwrap();
    let mut client = connect(&server).await;
    client.batch_execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 2500) AS n").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT n FROM t ORDER BY n", &[]).await.unwrap();
    let mut seen = Vec::new();
    for limit in [1, 1000, 0] {
        seen.extend(transaction.query_portal(&portal, limit).await.unwrap().iter().map(|row| row.get::<_, i32>(0)));
    }
    assert_eq!(seen, (1..=2500).collect::<Vec<_>>());
    transaction.execute("DELETE FROM t", &[]).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<_, i64>(0), 2500);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_answers_in_order() {
    let server = TestServer::start().await.unwrap();
    let client = connect(&server).await;
    let statement = client.prepare("SELECT $1::int * 2").await.unwrap();
    let answers = futures::future::join_all((0..200i32).map(|number| {
        let (client, statement) = (&client, &statement);
        async move { client.query_one(statement, &[&number]).await.unwrap().get::<_, i32>(0) }
    }))
    .await;
    assert_eq!(answers, (0..200).map(|number| number * 2).collect::<Vec<i32>>());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_both_ways() {
    let server = TestServer::start().await.unwrap();
    let client = connect(&server).await;
    client.batch_execute("CREATE TABLE t (a int, b text)").await.unwrap();
    let sink = client.copy_in::<_, bytes::Bytes>("COPY t FROM STDIN").await.unwrap();
    pin_mut!(sink);
    for piece in ["1\ton", "e\n2\t\\", "N\n"] {
        sink.send(bytes::Bytes::from_static(piece.as_bytes())).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 2);
    let stream = client.copy_out("COPY t TO STDOUT (FORMAT csv)").await.unwrap();
    pin_mut!(stream);
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(text, b"1,one\n2,\n");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_reaches_a_running_statement() {
    let server = TestServer::start().await.unwrap();
    let client = connect(&server).await;
    let token = client.cancel_token();
    let cancel = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        token.cancel_query(NoTls).await.unwrap();
    };
    let (result, ()) = tokio::join!(client.batch_execute("SELECT pg_sleep(30)"), cancel);
    assert_eq!(sqlstate(&result.unwrap_err()), SqlState::QUERY_CANCELED);
    let messages = client.simple_query("SELECT 1 AS one").await.unwrap();
    assert!(messages.iter().any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get("one") == Some("1"))));
    server.stop().await;
}
