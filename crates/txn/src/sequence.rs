//! Values of sequences: outside the database value, never rolled back.
