-- +goose Up
-- Payouts that became held, in the order in which the books learned it: of those that write one does it at a time. at is when it was written.
CREATE TABLE became_held (
  seq      BIGSERIAL PRIMARY KEY,
  trade_no TEXT COLLATE "C"   NOT NULL,
  at       BIGINT NOT NULL
);
