-- +goose Up
-- Books that were written before hold fingerprints that aren't sealed: they are emptied, and read again.
DELETE FROM payouts;
DELETE FROM payees;
DELETE FROM totals;
DELETE FROM batches;
DELETE FROM progress;

ALTER TABLE payouts ADD COLUMN content TEXT NOT NULL DEFAULT '';
ALTER TABLE batches ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN digested BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN digest TEXT NOT NULL DEFAULT '';
CREATE INDEX batches_undigested ON batches (id) WHERE changed <> digested;
CREATE INDEX batches_digest ON batches (digest) WHERE digest <> '';
