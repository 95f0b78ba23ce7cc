-- 0006 parts: which coordinators and aggregators are there, and which coordinator leads. Adds two tables and a view;
-- running parts of an earlier version do not show in them.

CREATE TYPE rrcm.part_kind AS ENUM ('coordinator', 'aggregator');
COMMENT ON TYPE rrcm.part_kind IS
  'Parts that hold nothing: coordinator (one leads, others stand by) and aggregator (all of them work)';

CREATE TABLE rrcm.part (
  part_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind       rrcm.part_kind NOT NULL,
  host       text NOT NULL,
  pid        int NOT NULL,
  software   text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  beat_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE rrcm.part IS 'Coordinators and aggregators that are there: one row per process, gone when it leaves or is silent for an hour';
COMMENT ON COLUMN rrcm.part.part_id IS 'Number of the part';
COMMENT ON COLUMN rrcm.part.kind IS 'What it does';
COMMENT ON COLUMN rrcm.part.host IS 'Machine it runs on';
COMMENT ON COLUMN rrcm.part.pid IS 'Its process there';
COMMENT ON COLUMN rrcm.part.software IS 'Its version of the software';
COMMENT ON COLUMN rrcm.part.started_at IS 'When it was there first';
COMMENT ON COLUMN rrcm.part.beat_at IS 'Last sign of life, by the database''s clock';

CREATE TABLE rrcm.leadership (
  single      boolean PRIMARY KEY DEFAULT true,
  term        bigint NOT NULL DEFAULT 0,
  part_id     bigint REFERENCES rrcm.part ON DELETE SET NULL,
  elected_at  timestamptz,
  deadline_at timestamptz NOT NULL DEFAULT '-infinity',
  CONSTRAINT leadership_has_one_row CHECK (single),
  CONSTRAINT leadership_term_not_negative CHECK (term >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE rrcm.leadership IS 'The one row that coordinators contend for; its term fences what the leader writes';
COMMENT ON COLUMN rrcm.leadership.single IS 'Always true: there is one row';
COMMENT ON COLUMN rrcm.leadership.term IS 'Rises with each election and never falls; a write under an older term is refused';
COMMENT ON COLUMN rrcm.leadership.part_id IS 'Coordinator that has this term; null when it left and nobody was elected since';
COMMENT ON COLUMN rrcm.leadership.elected_at IS 'When this term began';
COMMENT ON COLUMN rrcm.leadership.deadline_at IS 'When another may be elected; each of the leader''s writes moves it on';
INSERT INTO rrcm.leadership DEFAULT VALUES;

CREATE VIEW rrcm.part_health AS
SELECT p.part_id,
       p.kind,
       p.host,
       p.pid,
       p.software,
       l.term,
       coalesce(l.deadline_at > now(), false) AS leads,
       extract(epoch FROM now() - p.beat_at)::double precision AS silent_seconds,
       p.started_at
  FROM rrcm.part p
  LEFT JOIN rrcm.leadership l USING (part_id);
COMMENT ON VIEW rrcm.part_health IS 'One row per coordinator and aggregator: alive or not, and which one leads';
COMMENT ON COLUMN rrcm.part_health.part_id IS 'Number of the part';
COMMENT ON COLUMN rrcm.part_health.kind IS 'coordinator or aggregator';
COMMENT ON COLUMN rrcm.part_health.host IS 'Machine it runs on';
COMMENT ON COLUMN rrcm.part_health.pid IS 'Its process there';
COMMENT ON COLUMN rrcm.part_health.software IS 'Its version of the software';
COMMENT ON COLUMN rrcm.part_health.term IS 'The term it was elected for; null when it was not elected last';
COMMENT ON COLUMN rrcm.part_health.leads IS 'Whether its term still holds';
COMMENT ON COLUMN rrcm.part_health.silent_seconds IS 'Seconds since its last sign of life';
COMMENT ON COLUMN rrcm.part_health.started_at IS 'When it was there first';
