-- +goose Up
-- Payouts that became held, in the order in which the books learned it. at is when it was written.
CREATE TABLE became_held (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  trade_no TEXT    NOT NULL,
  at       INTEGER NOT NULL
);
