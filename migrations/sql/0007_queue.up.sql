-- 0007 queue: fair share, pauses, leases that can be split and duplicated, and tables that stay small under load.
-- Adds columns with constant defaults, which rewrites nothing; settings take effect with the next vacuum.

ALTER TABLE rrcm.run
  ADD COLUMN weight int NOT NULL DEFAULT 100,
  ADD COLUMN paused_at timestamptz,
  ADD CONSTRAINT run_weight_positive CHECK (weight > 0);
COMMENT ON COLUMN rrcm.run.weight IS 'Share of the workers'' time among runs of equal priority; only ratios matter';
COMMENT ON COLUMN rrcm.run.paused_at IS 'When it was paused; nothing of it is claimed until it is resumed';

ALTER TABLE rrcm.lease
  ADD COLUMN duplicate boolean NOT NULL DEFAULT false,
  ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN rrcm.lease.lo IS 'First unit; moves on with every post, except in a duplicate';
COMMENT ON COLUMN rrcm.lease.hi IS 'One past the last unit; moves down when somebody takes the rest over';
COMMENT ON COLUMN rrcm.lease.duplicate IS
  'Its units are held by another lease too, whose holder is slower; ending it makes no gap';
COMMENT ON COLUMN rrcm.lease.renewed_at IS 'When its holder last posted, or claimed it';

-- Rows that change often: room for updates in place (HOT), and vacuum by count of dead rows, whatever the table's size.
ALTER TABLE rrcm.lease SET (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);
ALTER TABLE rrcm.gap SET (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE rrcm.item SET (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);
ALTER TABLE rrcm.worker SET (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE rrcm.job SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE VIEW rrcm.ready_run AS
SELECT r.run_id,
       r.kind,
       r.priority,
       r.weight
  FROM rrcm.run r
 WHERE r.state = 'running'
   AND r.finished_at IS NULL
   AND r.paused_at IS NULL
   AND CASE
         WHEN r.kind = 'certify' THEN
           EXISTS (SELECT FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'open')
           OR EXISTS (SELECT FROM rrcm.gap g WHERE g.run_id = r.run_id)
         ELSE EXISTS (SELECT FROM rrcm.job j WHERE j.run_id = r.run_id AND j.state = 'queued')
       END;
COMMENT ON VIEW rrcm.ready_run IS 'Runs that have something to claim now';
COMMENT ON COLUMN rrcm.ready_run.run_id IS 'Run';
COMMENT ON COLUMN rrcm.ready_run.kind IS 'What it does';
COMMENT ON COLUMN rrcm.ready_run.priority IS 'Higher is served first';
COMMENT ON COLUMN rrcm.ready_run.weight IS 'Share of the workers'' time among runs of equal priority';

-- Votes are summed for items under way alone; a certificate says how many draws it rests on.
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
       extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at)::double precision AS elapsed_seconds
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
COMMENT ON COLUMN rrcm.run_progress.samples IS
  'Noise samples drawn: those that its certificates rest on, and those stored for items under way';
COMMENT ON COLUMN rrcm.run_progress.priority IS 'Higher is served first; equal ones share the workers'' time by weight';
COMMENT ON COLUMN rrcm.run.priority IS 'Higher is served first; equal ones share the workers'' time by weight';
COMMENT ON COLUMN rrcm.queue_depth.priority IS 'Higher is served first; equal ones share the workers'' time by weight';
