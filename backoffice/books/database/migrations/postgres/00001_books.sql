-- +goose Up
-- Names are compared byte by byte, as SQLite does it. Amounts are millionths. Times are milliseconds since 1970. A sum may be larger than 64 bits, so it is text.
CREATE TABLE progress (
  topic     TEXT COLLATE "C"   NOT NULL,
  partition BIGINT NOT NULL,
  next      BIGINT NOT NULL,
  anchor    TEXT    NOT NULL,
  fences    TEXT    NOT NULL,
  begun     BIGINT NOT NULL,
  since     BIGINT NOT NULL,
  missed    BIGINT NOT NULL,
  PRIMARY KEY (topic, partition)
);

CREATE TABLE payouts (
  trade_no     TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
  state        TEXT COLLATE "C"   NOT NULL,
  merchant     TEXT COLLATE "C"   NOT NULL,
  batch_id     TEXT COLLATE "C"   NOT NULL,
  currency     TEXT COLLATE "C"   NOT NULL,
  amount       BIGINT,
  paid         BIGINT,
  undetermined BIGINT NOT NULL,
  at           BIGINT NOT NULL,
  changed_at   BIGINT NOT NULL,
  settled_at   BIGINT NOT NULL,
  facts        TEXT    NOT NULL
);
CREATE INDEX payouts_at ON payouts (at, trade_no);
CREATE INDEX payouts_batch ON payouts (batch_id, at, trade_no) WHERE batch_id <> '';
CREATE INDEX payouts_merchant ON payouts (merchant, at, trade_no);
-- Most payouts are paid in the end. Who looks for these goes by the batch or the time.
CREATE INDEX payouts_state ON payouts (state, at, trade_no) WHERE state <> 'P';
CREATE INDEX payouts_settled ON payouts (settled_at) WHERE settled_at > 0;

CREATE TABLE payees (
  hash     BIGINT NOT NULL,
  trade_no TEXT COLLATE "C"   NOT NULL,
  PRIMARY KEY (hash, trade_no)
);

CREATE TABLE totals (
  batch_id TEXT COLLATE "C"   NOT NULL,
  merchant TEXT COLLATE "C"   NOT NULL,
  currency TEXT COLLATE "C"   NOT NULL,
  state    TEXT COLLATE "C"   NOT NULL,
  count    BIGINT NOT NULL,
  without  BIGINT NOT NULL,
  ordered  TEXT    NOT NULL,
  paid     TEXT    NOT NULL,
  PRIMARY KEY (batch_id, merchant, currency, state)
);

CREATE TABLE batches (
  id       TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
  size     BIGINT NOT NULL,
  size_by  TEXT    NOT NULL,
  first_at BIGINT NOT NULL,
  last_at  BIGINT NOT NULL,
  told     BIGINT NOT NULL
);
CREATE INDEX batches_last ON batches (last_at, id);

CREATE TABLE batch_events (
  seq       BIGSERIAL PRIMARY KEY,
  id        TEXT COLLATE "C"   NOT NULL UNIQUE,
  batch_id  TEXT COLLATE "C"   NOT NULL,
  type      TEXT    NOT NULL,
  at        BIGINT NOT NULL,
  value     TEXT    NOT NULL,
  published BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX batch_events_waiting ON batch_events (seq) WHERE published = 0;

CREATE TABLE dead_letters (
  source_topic     TEXT COLLATE "C"   NOT NULL,
  source_partition BIGINT NOT NULL,
  source_offset    BIGINT NOT NULL,
  element          BIGINT NOT NULL,
  partition        BIGINT NOT NULL,
  place            BIGINT NOT NULL,
  code             TEXT    NOT NULL,
  reason           TEXT    NOT NULL,
  at               BIGINT NOT NULL,
  trade_no         TEXT COLLATE "C"   NOT NULL,
  batch_id         TEXT COLLATE "C"   NOT NULL,
  merchant         TEXT COLLATE "C"   NOT NULL,
  amount           TEXT    NOT NULL,
  currency         TEXT COLLATE "C"   NOT NULL,
  payee            TEXT    NOT NULL,
  PRIMARY KEY (source_topic, source_partition, source_offset, element)
);
CREATE INDEX dead_letters_at ON dead_letters (at);
CREATE INDEX dead_letters_batch ON dead_letters (batch_id) WHERE batch_id <> '';

CREATE TABLE actions (
  place   BIGINT NOT NULL PRIMARY KEY,
  at      BIGINT NOT NULL,
  key     BYTEA    NOT NULL,
  value   BYTEA    NOT NULL,
  headers TEXT    NOT NULL
);
