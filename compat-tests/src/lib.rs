//! Is it really std? Programs and tests
