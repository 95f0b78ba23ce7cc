-- Undoes 0013: functions and views as they were. Worker logins then need grants that only an earlier program's roles.sql states.
CREATE OR REPLACE VIEW rrcm.ready_run AS
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
COMMENT ON COLUMN rrcm.queue_depth.ready IS 'Units nobody holds';
DROP TRIGGER IF EXISTS job_worker_rules ON rrcm.job;

CREATE OR REPLACE FUNCTION rrcm.refuse_foreign_worker() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  IF EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = new.worker_id AND w.login = session_user)
     OR pg_has_role(current_user, 'rrcm_coordinator', 'USAGE') OR pg_has_role(current_user, 'rrcm_owner', 'USAGE') THEN
    RETURN new;
  END IF;
  RAISE EXCEPTION 'login % may not add a row of % in the name of worker %', session_user, TG_TABLE_NAME, new.worker_id
    USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION rrcm.refuse_foreign_worker() IS
  'Refuses rows in the name of another login''s worker, where rows are only ever added. "rrcm roles apply" makes its triggers: they cost less than row-level security with every vote';

DROP FUNCTION rrcm.delete_old_events(int);
DROP FUNCTION rrcm.claim_tail(bigint, bigint, int, text, int, double precision, double precision, int, double precision);
DROP FUNCTION rrcm.end_voted_leases(bigint, bigint);
DROP FUNCTION rrcm.return_leases(bigint[]);
DROP INDEX rrcm.lease_duplicate;
DROP FUNCTION rrcm.end_training(bigint);
DROP FUNCTION rrcm.record_canary(text, text, text, bigint);
DROP FUNCTION rrcm.post_audit(bigint, bigint, int, smallint[], int[], double precision);
DROP FUNCTION rrcm.claim_audit(bigint, bigint, int, text, double precision, double precision, double precision);
DROP FUNCTION rrcm.acts_for(name);

CREATE OR REPLACE VIEW rrcm.similar_run AS
SELECT this.run_id,
       other.run_id AS other_run_id,
       other.name AS other_name,
       a.sigma
  FROM rrcm.run this
  JOIN rrcm.run other
    ON other.checkpoint_digest = this.checkpoint_digest
   AND other.dataset_digest = this.dataset_digest
   AND other.image_indices = this.image_indices
   AND other.run_id <> this.run_id
  JOIN rrcm.certification_sigma a ON a.run_id = this.run_id
  JOIN rrcm.certification_sigma b ON b.run_id = other.run_id AND b.sigma = a.sigma;
COMMENT ON VIEW rrcm.similar_run IS
  'Other certification runs of the same checkpoint on the same images at the same sigma: choosing among them afterwards voids alpha';
