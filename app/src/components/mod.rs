//! Parts that know the domain: they draw the model and send wishes.
