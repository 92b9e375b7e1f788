//! Parts that know no domain: how things look and behave, in one place.
