//! Artefacts: from an edited view to complete files under their final names.
