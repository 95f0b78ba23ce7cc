-- Undoes 0007: runs have no weight and are never paused; leases are neither split nor duplicated.
DELETE FROM rrcm.lease WHERE duplicate;
DROP VIEW rrcm.ready_run;
ALTER TABLE rrcm.lease RESET (
  fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay,
  autovacuum_analyze_scale_factor, autovacuum_analyze_threshold);
ALTER TABLE rrcm.gap RESET (
  autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay);
ALTER TABLE rrcm.item RESET (
  autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay,
  autovacuum_analyze_scale_factor, autovacuum_analyze_threshold);
ALTER TABLE rrcm.worker RESET (
  autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay);
ALTER TABLE rrcm.job RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
ALTER TABLE rrcm.lease DROP COLUMN duplicate, DROP COLUMN renewed_at;
ALTER TABLE rrcm.run DROP COLUMN weight, DROP COLUMN paused_at;
COMMENT ON COLUMN rrcm.lease.lo IS 'First unit';
COMMENT ON COLUMN rrcm.lease.hi IS 'One past the last unit';
COMMENT ON COLUMN rrcm.run.priority IS 'Higher is served first';
COMMENT ON COLUMN rrcm.queue_depth.priority IS 'Higher is served first; equal ones in order of submission';

CREATE OR REPLACE VIEW rrcm.run_progress AS
SELECT r.run_id,
       r.name,
       r.kind,
       r.state,
       r.priority,
       coalesce(j.step, items.finished, 0) AS done,
       coalesce(j.steps, items.total, 0) AS total,
       CASE WHEN j.job_id IS NULL THEN 'items' ELSE 'steps' END AS unit,
       coalesce(votes.samples, 0) AS samples,
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
           count(*) FILTER (WHERE i.state = 'held') AS held
      FROM rrcm.item i
     WHERE i.run_id = r.run_id
    HAVING count(*) > 0
  ) AS items ON true
  LEFT JOIN LATERAL (
    SELECT sum(k.samples)::bigint AS samples,
           (SELECT count(*) FROM rrcm.disagreement d JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id)
             AS disagreements
      FROM rrcm.chunk_count k
      JOIN rrcm.item i USING (item_id)
     WHERE i.run_id = r.run_id
  ) AS votes ON true;
COMMENT ON COLUMN rrcm.run_progress.samples IS 'Noise samples whose votes are stored';
COMMENT ON COLUMN rrcm.run_progress.priority IS 'Higher is served first; equal ones in order of submission';
