//! Base images: where they come from, and the proof that they are the ones asked for.
