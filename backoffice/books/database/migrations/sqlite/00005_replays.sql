-- +goose Up
-- A dead letter is named by its own place.
CREATE INDEX dead_letters_place ON dead_letters (partition, place);

-- A command that a person had published again from a dead letter, and the message that this one is about.
CREATE TABLE replays (
  source_topic     TEXT    NOT NULL,
  source_partition INTEGER NOT NULL,
  source_offset    INTEGER NOT NULL,
  element          INTEGER NOT NULL,
  partition        INTEGER NOT NULL,
  place            INTEGER NOT NULL,
  at               INTEGER NOT NULL,
  said_by          TEXT    NOT NULL,
  PRIMARY KEY (source_topic, source_partition, source_offset, element, partition, place)
) WITHOUT ROWID;
