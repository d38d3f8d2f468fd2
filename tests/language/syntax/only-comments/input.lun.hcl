# nothing

/* here */ // at all