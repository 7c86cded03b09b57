-- The sequence goes with the table.

DROP TABLE read_errors;
