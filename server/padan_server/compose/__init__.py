"""The composition root: the only modules that name every class, one for each kind of process."""
