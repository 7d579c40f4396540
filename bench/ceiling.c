/* The ceiling: a server that speaks just enough of the protocol for pgbench and answers every statement at once, without a database.
 *
 *   ceiling PORT THREADS
 *
 * What pgbench reaches against it is what client, kernel and protocol leave for a database to take. Each thread has an epoll loop and its
 * own listening socket (SO_REUSEPORT); input is answered message by message into one buffer, which is sent when the input is used up.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT = 1 << 16, OUTPUT = 1 << 16, NAMES = 64 };

struct connection {
    int fd, started, in_block, returns_row;
    size_t used;
    /* Which prepared statements return a row, by the number in pgbench's names for them (P_0, P1_2). */
    unsigned char named[NAMES];
    char input[INPUT];
};

struct answer { size_t length; char bytes[OUTPUT]; };

static uint16_t port;

static void put(struct answer *out, char kind, const void *body, uint32_t length) {
    if (out->length + length + 5 > OUTPUT) abort();
    uint32_t size = htonl(length + 4);
    out->bytes[out->length] = kind;
    memcpy(out->bytes + out->length + 1, &size, 4);
    memcpy(out->bytes + out->length + 5, body, length);
    out->length += length + 5;
}

static void put_ready(struct answer *out, struct connection *client) { put(out, 'Z', client->in_block ? "T" : "I", 1); }

static void put_row(struct answer *out) {
    /* one int4 column in text: 7 */
    put(out, 'D', "\0\1\0\0\0\1" "7", 7);
}

static void put_description(struct answer *out) {
    put(out, 'T', "\0\1" "abalance\0" "\0\0\0\0" "\0\0" "\0\0\0\27" "\0\4" "\377\377\377\377" "\0\0", 29);
}

/* pgbench asks at its start how the accounts are partitioned: they are in the first schema of the path, unpartitioned, in no parts. */
static void put_partitions(struct answer *out) {
    char description[128] = "\0\3";
    uint32_t length = 2;
    for (int column = 0; column < 3; column++) {
        memcpy(description + length, "p\0" "\0\0\0\0" "\0\0" "\0\0\0\27" "\0\4" "\377\377\377\377" "\0\0", 20);
        length += 20;
    }
    put(out, 'T', description, length);
    put(out, 'D', "\0\3" "\0\0\0\1" "1" "\377\377\377\377" "\0\0\0\1" "0", 16);
}

static int is_select(const char *sql) { return strncasecmp(sql, "select", 6) == 0; }

static void put_tag(struct answer *out, struct connection *client, const char *sql) {
    if (is_select(sql)) put(out, 'C', "SELECT 1", 9);
    else if (strncasecmp(sql, "begin", 5) == 0) { client->in_block = 1; put(out, 'C', "BEGIN", 6); }
    else if (strncasecmp(sql, "end", 3) == 0) { client->in_block = 0; put(out, 'C', "COMMIT", 7); }
    else if (strncasecmp(sql, "insert", 6) == 0) put(out, 'C', "INSERT 0 1", 11);
    else put(out, 'C', "UPDATE 1", 9);
}

static unsigned name_slot(const char *name) {
    unsigned hash = 5381;
    while (*name) hash = hash * 33 + (unsigned char)*name++;
    return hash % NAMES;
}

/* The first letter of the statement: s b e i u. */
static unsigned char word(const char *sql) { return (unsigned char)(*sql | 32); }

static const char *word_text(unsigned char word) {
    return word == 's' ? "select" : word == 'b' ? "begin" : word == 'e' ? "end" : word == 'i' ? "insert" : "update";
}

static void put_message(struct answer *out, struct connection *client, char kind, char *body) {
    switch (kind) {
    case 'Q':
        if (strstr(body, "partstrat")) put_partitions(out);
        else if (is_select(body)) { put_description(out); put_row(out); }
        put_tag(out, client, body);
        put_ready(out, client);
        break;
    case 'P': client->named[name_slot(body)] = word(body + strlen(body) + 1); put(out, '1', "", 0); break;
    case 'B': client->returns_row = client->named[name_slot(body + strlen(body) + 1)]; put(out, '2', "", 0); break;
    case 'D':
        if (client->returns_row == 's') put_description(out); else put(out, 'n', "", 0);
        break;
    case 'E':
        if (client->returns_row == 's') put_row(out);
        put_tag(out, client, word_text((unsigned char)client->returns_row));
        break;
    case 'S': put_ready(out, client); break;
    default: break;
    }
}

static void put_welcome(struct answer *out, struct connection *client) {
    put(out, 'R', "\0\0\0\0", 4);
    put(out, 'S', "server_version\0" "15.0", 20);
    put(out, 'S', "client_encoding\0" "UTF8", 21);
    put(out, 'S', "standard_conforming_strings\0" "on", 31);
    put(out, 'K', "\0\0\0\1\0\0\0\1", 8);
    put_ready(out, client);
}

/* Answers all complete messages; returns 0 when the connection is over. */
static int answer_input(struct connection *client, struct answer *out) {
    size_t at = 0;
    while (client->used - at >= 5) {
        uint32_t length;
        memcpy(&length, client->input + at + (client->started ? 1 : 0), 4);
        size_t size = ntohl(length) + (client->started ? 1u : 0u);
        if (size < 5 || size > INPUT) return 0;
        if (client->used - at < size) break;
        if (!client->started) {
            uint32_t code;
            memcpy(&code, client->input + at + 4, 4);
            if (ntohl(code) == 80877103 || ntohl(code) == 80877104) { out->bytes[out->length++] = 'N'; }
            else { client->started = 1; put_welcome(out, client); }
        } else {
            if (client->input[at] == 'X') return 0;
            put_message(out, client, client->input[at], client->input + at + 5);
        }
        at += size;
    }
    memmove(client->input, client->input + at, client->used - at);
    client->used -= at;
    return 1;
}

static int serve_ready(struct connection *client) {
    static __thread struct answer out;
    ssize_t got = recv(client->fd, client->input + client->used, INPUT - client->used, 0);
    if (got <= 0) return 0;
    client->used += (size_t)got;
    out.length = 0;
    if (!answer_input(client, &out)) return 0;
    return out.length == 0 || send(client->fd, out.bytes, out.length, MSG_NOSIGNAL) == (ssize_t)out.length;
}

static void *serve(void *unused) {
    (void)unused;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) { perror("listen"); exit(1); }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[64];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, ready, 64, -1);
        for (int at = 0; at < count; at++) {
            struct connection *client = ready[at].data.ptr;
            if (!client) {
                int fd = accept(listener, NULL, NULL);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                client = calloc(1, sizeof *client);
                if (!client) exit(1);
                client->fd = fd;
                event.data.ptr = client;
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
            } else if (!serve_ready(client)) {
                close(client->fd);
                free(client);
            }
        }
    }
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 3) { fprintf(stderr, "usage: ceiling PORT THREADS\n"); return 2; }
    port = (uint16_t)atoi(arguments[1]);
    int threads = atoi(arguments[2]);
    pthread_t thread;
    for (int at = 1; at < threads; at++) pthread_create(&thread, NULL, serve, NULL);
    serve(NULL);
}
