-- name: control_preview
-- Where the given runs stand, for verbs that pause, resume, change or retry them.
SELECT r.run_id,
       r.name,
       r.kind::text AS kind,
       r.state::text AS state,
       r.finished_at IS NOT NULL AS ended,
       r.paused_at IS NOT NULL AS paused,
       r.started_at IS NOT NULL AS planned,
       r.priority,
       r.weight,
       (SELECT count(*) FROM rrcm.lease l JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id) AS leases,
       (SELECT count(*) FROM rrcm.job j WHERE j.run_id = r.run_id AND j.state = 'running') AS jobs,
       (SELECT count(*) FROM rrcm.job j WHERE j.run_id = r.run_id AND j.state = 'failed') AS failed_jobs,
       (SELECT count(*) FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'held') AS held,
       (SELECT count(*)
          FROM rrcm.item i
         WHERE i.run_id = r.run_id
           AND i.state = 'held'
           AND EXISTS (
           SELECT
             FROM rrcm.disagreement d
             LEFT JOIN rrcm.audit a USING (audit_id)
            WHERE d.item_id = i.item_id
              AND coalesce(a.state, 'disputed') IN ('due', 'disputed', 'undecided')
         )) AS disputed,
       (SELECT s.name
          FROM rrcm.trial_run tr
          JOIN rrcm.trial t USING (trial_id)
          JOIN rrcm.sweep s USING (sweep_id)
         WHERE tr.run_id = r.run_id) AS sweep
  FROM rrcm.run r
 WHERE r.run_id = ANY ($1::bigint[])
 ORDER BY r.run_id
