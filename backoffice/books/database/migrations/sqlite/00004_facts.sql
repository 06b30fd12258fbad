-- +goose Up
-- Facts are bytes now, no JSON. Books that were written before are emptied, and read again.
DELETE FROM payouts;
DELETE FROM payees;
DELETE FROM totals;
DELETE FROM batches;
DELETE FROM progress;
-- SQLite keeps bytes in a column of any type.
