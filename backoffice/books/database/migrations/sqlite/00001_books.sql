-- +goose Up
-- Amounts are millionths. Times are milliseconds since 1970. A sum may be larger than 64 bits, so it is text.
CREATE TABLE progress (
  topic     TEXT    NOT NULL,
  partition INTEGER NOT NULL,
  next      INTEGER NOT NULL,
  anchor    TEXT    NOT NULL,
  fences    TEXT    NOT NULL,
  begun     INTEGER NOT NULL,
  since     INTEGER NOT NULL,
  missed    INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

CREATE TABLE payouts (
  trade_no     TEXT    NOT NULL PRIMARY KEY,
  state        TEXT    NOT NULL,
  merchant     TEXT    NOT NULL,
  batch_id     TEXT    NOT NULL,
  currency     TEXT    NOT NULL,
  amount       INTEGER,
  paid         INTEGER,
  undetermined INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  changed_at   INTEGER NOT NULL,
  settled_at   INTEGER NOT NULL,
  facts        TEXT    NOT NULL
);
CREATE INDEX payouts_at ON payouts (at, trade_no);
CREATE INDEX payouts_batch ON payouts (batch_id, at, trade_no) WHERE batch_id <> '';
CREATE INDEX payouts_merchant ON payouts (merchant, at, trade_no);
-- Most payouts are paid in the end. Who looks for these goes by the batch or the time.
CREATE INDEX payouts_state ON payouts (state, at, trade_no) WHERE state <> 'P';
CREATE INDEX payouts_settled ON payouts (settled_at) WHERE settled_at > 0;

CREATE TABLE payees (
  hash     INTEGER NOT NULL,
  trade_no TEXT    NOT NULL,
  PRIMARY KEY (hash, trade_no)
) WITHOUT ROWID;

CREATE TABLE totals (
  batch_id TEXT    NOT NULL,
  merchant TEXT    NOT NULL,
  currency TEXT    NOT NULL,
  state    TEXT    NOT NULL,
  count    INTEGER NOT NULL,
  without  INTEGER NOT NULL,
  ordered  TEXT    NOT NULL,
  paid     TEXT    NOT NULL,
  PRIMARY KEY (batch_id, merchant, currency, state)
) WITHOUT ROWID;

CREATE TABLE batches (
  id       TEXT    NOT NULL PRIMARY KEY,
  size     INTEGER NOT NULL,
  size_by  TEXT    NOT NULL,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  told     INTEGER NOT NULL
);
CREATE INDEX batches_last ON batches (last_at, id);

CREATE TABLE batch_events (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT,
  id        TEXT    NOT NULL UNIQUE,
  batch_id  TEXT    NOT NULL,
  type      TEXT    NOT NULL,
  at        INTEGER NOT NULL,
  value     TEXT    NOT NULL,
  published INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX batch_events_waiting ON batch_events (seq) WHERE published = 0;

CREATE TABLE dead_letters (
  source_topic     TEXT    NOT NULL,
  source_partition INTEGER NOT NULL,
  source_offset    INTEGER NOT NULL,
  element          INTEGER NOT NULL,
  partition        INTEGER NOT NULL,
  place            INTEGER NOT NULL,
  code             TEXT    NOT NULL,
  reason           TEXT    NOT NULL,
  at               INTEGER NOT NULL,
  trade_no         TEXT    NOT NULL,
  batch_id         TEXT    NOT NULL,
  merchant         TEXT    NOT NULL,
  amount           TEXT    NOT NULL,
  currency         TEXT    NOT NULL,
  payee            TEXT    NOT NULL,
  PRIMARY KEY (source_topic, source_partition, source_offset, element)
) WITHOUT ROWID;
CREATE INDEX dead_letters_at ON dead_letters (at);
CREATE INDEX dead_letters_batch ON dead_letters (batch_id) WHERE batch_id <> '';

CREATE TABLE actions (
  place   INTEGER NOT NULL PRIMARY KEY,
  at      INTEGER NOT NULL,
  key     BLOB    NOT NULL,
  value   BLOB    NOT NULL,
  headers TEXT    NOT NULL
);
