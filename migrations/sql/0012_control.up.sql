-- 0011 control: runs that strand; failed attempts at a piece of work.
-- Adding the columns is quick whatever the size of the tables: none of them is rewritten.

ALTER TABLE rrcm.run ADD COLUMN stranded_at timestamptz;
COMMENT ON COLUMN rrcm.run.stranded_at IS 'Since when work of it has no live worker of its numerics id; kept by the coordinator, so that one event tells of it';

ALTER TABLE rrcm.gap ADD COLUMN suspect boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN rrcm.gap.suspect IS
  'Its worker ended while holding it: whoever claims it computes it alone, so that a second end tells which item was in hand';

CREATE TYPE rrcm.attempt_outcome AS ENUM ('died', 'expired', 'failed');
COMMENT ON TYPE rrcm.attempt_outcome IS
  'died: the worker went silent or was started anew while it held the work; expired: it beat, but let the deadline pass; failed: computing raised an error';

CREATE TABLE rrcm.failed_attempt (
  attempt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id     bigint NOT NULL REFERENCES rrcm.run ON DELETE CASCADE,
  item_id    bigint REFERENCES rrcm.item ON DELETE CASCADE,
  unit       int,
  worker_id  bigint NOT NULL REFERENCES rrcm.worker,
  epoch      int NOT NULL,
  outcome    rrcm.attempt_outcome NOT NULL,
  alone      boolean NOT NULL DEFAULT true,
  error      text NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  retried_at timestamptz,
  CONSTRAINT failed_attempt_of_item_has_unit CHECK ((item_id IS NULL) = (unit IS NULL))
);
CREATE INDEX failed_attempt_item ON rrcm.failed_attempt (item_id) WHERE item_id IS NOT NULL;
CREATE INDEX failed_attempt_run ON rrcm.failed_attempt (run_id);
COMMENT ON TABLE rrcm.failed_attempt IS 'Work that did not come to its end: one row per failure; what goes well leaves none';
COMMENT ON COLUMN rrcm.failed_attempt.attempt_id IS 'Number of the record';
COMMENT ON COLUMN rrcm.failed_attempt.run_id IS 'Run';
COMMENT ON COLUMN rrcm.failed_attempt.item_id IS 'Item; null for a training';
COMMENT ON COLUMN rrcm.failed_attempt.unit IS 'First unit of the lease without votes: where the worker was, to within a second';
COMMENT ON COLUMN rrcm.failed_attempt.worker_id IS 'Worker that held it';
COMMENT ON COLUMN rrcm.failed_attempt.epoch IS 'Its epoch then';
COMMENT ON COLUMN rrcm.failed_attempt.outcome IS 'How it ended';
COMMENT ON COLUMN rrcm.failed_attempt.alone IS 'The worker held nothing else: this item was surely the one in hand';
COMMENT ON COLUMN rrcm.failed_attempt.error IS 'What happened, in a sentence';
COMMENT ON COLUMN rrcm.failed_attempt.at IS 'When it was noticed';
COMMENT ON COLUMN rrcm.failed_attempt.retried_at IS 'When a person had it tried again: it counts no more towards setting the item aside';

-- Views ------------------------------------------------------------------------------------------------------------

CREATE VIEW rrcm.work_attempt AS
SELECT a.run_id,
       r.name AS run_name,
       a.item_id,
       i.image_index,
       i.sigma,
       a.unit,
       w.name AS worker_name,
       a.worker_id,
       a.epoch,
       a.outcome,
       a.alone,
       a.error,
       a.at,
       a.retried_at
  FROM rrcm.failed_attempt a
  JOIN rrcm.run r USING (run_id)
  JOIN rrcm.worker w USING (worker_id)
  LEFT JOIN rrcm.item i USING (item_id);
COMMENT ON VIEW rrcm.work_attempt IS 'Failed attempts at items and trainings, with the names of what they were at';
COMMENT ON COLUMN rrcm.work_attempt.run_id IS 'Run';
COMMENT ON COLUMN rrcm.work_attempt.run_name IS 'Name of the run';
COMMENT ON COLUMN rrcm.work_attempt.item_id IS 'Item; null for a training';
COMMENT ON COLUMN rrcm.work_attempt.image_index IS 'Image; null for a training';
COMMENT ON COLUMN rrcm.work_attempt.sigma IS 'Noise level; null for a training';
COMMENT ON COLUMN rrcm.work_attempt.unit IS 'First unit of the lease without votes';
COMMENT ON COLUMN rrcm.work_attempt.worker_name IS 'Worker that held it';
COMMENT ON COLUMN rrcm.work_attempt.worker_id IS 'Its number';
COMMENT ON COLUMN rrcm.work_attempt.epoch IS 'Its epoch then';
COMMENT ON COLUMN rrcm.work_attempt.outcome IS 'How it ended';
COMMENT ON COLUMN rrcm.work_attempt.alone IS 'The worker held nothing else';
COMMENT ON COLUMN rrcm.work_attempt.error IS 'What happened, in a sentence';
COMMENT ON COLUMN rrcm.work_attempt.at IS 'When it was noticed';
COMMENT ON COLUMN rrcm.work_attempt.retried_at IS 'When a person had it tried again';

CREATE VIEW rrcm.stranded_item AS
SELECT i.run_id,
       r.name AS run_name,
       i.item_id,
       i.image_index,
       i.sigma,
       i.state,
       CASE WHEN i.numerics_id IS NULL THEN r.numerics_ids ELSE ARRAY[i.numerics_id] END AS numerics_ids,
       i.numerics_id IS NOT NULL AS pinned
  FROM rrcm.run r
  JOIN rrcm.item i USING (run_id)
 WHERE r.state = 'running'
   AND (i.numerics_id IS NOT NULL OR r.numerics_ids <> '{}')
   AND (i.state = 'open'
        OR i.state = 'claimed'
           AND (EXISTS (SELECT FROM rrcm.gap g WHERE g.item_id = i.item_id)
                OR EXISTS (SELECT FROM rrcm.lease l WHERE l.item_id = i.item_id))
        OR i.state = 'certified'
           AND i.item_id IN (SELECT a.item_id FROM rrcm.audit a WHERE a.run_id = r.run_id AND a.state IN ('due', 'disputed')))
   -- A worker that has just begun has not shown yet what it computes.
   AND NOT EXISTS (
         SELECT
           FROM rrcm.worker w
          WHERE w.state <> 'gone'
            AND (w.numerics_ids && CASE
                   WHEN i.numerics_id IS NULL THEN r.numerics_ids
                   ELSE ARRAY[i.numerics_id]
                 END
                 OR w.numerics_ids = '{}' AND w.registered_at > now() - interval '1 minute')
       );
COMMENT ON VIEW rrcm.stranded_item IS
  'Items with work left, votes or audits, that no live worker has shown to compute: they wait for a worker of their numerics id, or for rrcm run repin';
COMMENT ON COLUMN rrcm.stranded_item.run_id IS 'Run';
COMMENT ON COLUMN rrcm.stranded_item.run_name IS 'Name of the run';
COMMENT ON COLUMN rrcm.stranded_item.item_id IS 'Item';
COMMENT ON COLUMN rrcm.stranded_item.image_index IS 'Image';
COMMENT ON COLUMN rrcm.stranded_item.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.stranded_item.state IS 'State of the item';
COMMENT ON COLUMN rrcm.stranded_item.numerics_ids IS 'Numerics ids of which one must live: the one that the item is pinned to, else those of its run';
COMMENT ON COLUMN rrcm.stranded_item.pinned IS 'It has been claimed under its numerics id, and may have votes of it';

CREATE OR REPLACE VIEW rrcm.run_progress AS
SELECT r.run_id,
       r.name,
       r.kind,
       r.state,
       r.priority,
       coalesce(j.step, items.finished, 0) AS done,
       coalesce(j.steps, items.total, 0) AS total,
       CASE WHEN j.job_id IS NULL THEN 'items' ELSE 'steps' END AS unit,
       (coalesce(items.samples, 0) + coalesce(votes.samples, 0))::bigint AS samples,
       coalesce(items.held, 0) AS held,
       coalesce(votes.disagreements, 0) AS disagreements,
       r.numerics_ids,
       r.checkpoint_digest,
       r.dataset_digest,
       r.depends_on,
       r.error,
       r.created_at,
       r.started_at,
       r.finished_at,
       extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at)::double precision AS elapsed_seconds,
       r.weight,
       CASE WHEN r.finished_at IS NULL THEN r.paused_at END AS paused_at,
       CASE WHEN r.finished_at IS NULL THEN r.stranded_at END AS stranded_at
  FROM rrcm.run r
  LEFT JOIN rrcm.job j USING (run_id)
  LEFT JOIN LATERAL (
    SELECT count(*) AS total,
           count(*) FILTER (WHERE i.state = 'certified') AS finished,
           count(*) FILTER (WHERE i.state = 'held') AS held,
           sum(c.n0 + c.n) AS samples
      FROM rrcm.item i
      LEFT JOIN rrcm.certificate c ON c.item_id = i.item_id AND i.state = 'certified'
     WHERE i.run_id = r.run_id
    HAVING count(*) > 0
  ) AS items ON true
  LEFT JOIN LATERAL (
    SELECT (SELECT sum(drawn.samples)
              FROM rrcm.item i
             CROSS JOIN LATERAL (
               SELECT sum(k.samples) AS samples FROM rrcm.chunk_count k WHERE k.item_id = i.item_id
             ) AS drawn
             WHERE i.run_id = r.run_id
               AND i.state <> 'certified'
               AND i.next_unit > 0) AS samples,
           (SELECT count(*) FROM rrcm.disagreement d JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id)
             AS disagreements
  ) AS votes ON true;
COMMENT ON COLUMN rrcm.run_progress.held IS 'Items set aside without a certificate; rrcm.item.error says why';
COMMENT ON COLUMN rrcm.run_progress.weight IS 'Its share among runs of equal priority, in proportion';
COMMENT ON COLUMN rrcm.run_progress.paused_at IS 'Since when it is paused; null when it is not, or has ended';
COMMENT ON COLUMN rrcm.run_progress.stranded_at IS 'Since when work of it has no live worker of its numerics id, as the coordinator last saw';

CREATE OR REPLACE VIEW rrcm.queue_depth AS
SELECT r.run_id,
       r.name,
       r.kind,
       r.priority,
       coalesce(items.units, 0) + coalesce(gaps.units, 0) + coalesce(jobs.queued, 0) AS ready,
       coalesce(leases.units, 0) + coalesce(jobs.running, 0) AS leased,
       extract(epoch FROM now() - r.started_at)::double precision AS oldest_seconds,
       NOT EXISTS (
         SELECT
           FROM rrcm.worker w
          WHERE w.state = 'live'
            AND (r.numerics_ids = '{}' OR w.numerics_ids && r.numerics_ids)
       ) AS stranded,
       r.paused_at IS NOT NULL AS paused
  FROM rrcm.run r
  LEFT JOIN LATERAL (
    SELECT sum(i.unit_count - i.next_unit) AS units FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'open'
  ) AS items ON true
  LEFT JOIN LATERAL (
    SELECT sum(g.hi - g.lo) AS units FROM rrcm.gap g WHERE g.run_id = r.run_id
  ) AS gaps ON true
  LEFT JOIN LATERAL (
    SELECT sum(l.hi - l.lo) AS units FROM rrcm.lease l JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id
  ) AS leases ON true
  LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE j.state = 'queued') AS queued, count(*) FILTER (WHERE j.state = 'running') AS running
      FROM rrcm.job j
     WHERE j.run_id = r.run_id
  ) AS jobs ON true
 WHERE r.state = 'running';
COMMENT ON COLUMN rrcm.queue_depth.paused IS 'Nothing of it is handed out until rrcm run resume';
