//! The vocabulary of Fanfare and the traits that are its seams.
