"""Small tools without domain words: clock, ids, bus, problems, commands, masking, sealing, the outbound guard."""
