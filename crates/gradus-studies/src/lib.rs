//! gradus-studies
