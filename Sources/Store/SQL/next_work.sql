-- name: next_work
-- Runs that have something to claim, the most urgent first. Only what is ready is looked at; nothing is locked.
SELECT r.run_id,
       r.kind::text AS kind,
       r.name,
       r.spec::text AS spec,
       r.seed,
       r.dataset_digest,
       r.checkpoint_digest,
       r.numerics_ids
  FROM rrcm.run r
 WHERE r.state = 'running'
   AND CASE
         WHEN r.kind = 'certify' THEN
           EXISTS (SELECT FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'open')
           OR EXISTS (SELECT FROM rrcm.gap g WHERE g.run_id = r.run_id)
         ELSE EXISTS (SELECT FROM rrcm.job j WHERE j.run_id = r.run_id AND j.state = 'queued')
       END
 ORDER BY r.priority DESC, r.run_id
