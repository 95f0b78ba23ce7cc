-- name: next_work
-- Running runs, the most urgent first, with whether they have something to claim (ready) or only leases that a worker
-- without other work may take over in part. Nothing is locked.
SELECT r.run_id,
       r.kind::text AS kind,
       r.name,
       r.spec::text AS spec,
       r.seed,
       r.priority,
       r.weight,
       r.dataset_digest,
       r.checkpoint_digest,
       r.numerics_ids,
       q.run_id IS NOT NULL OR audits.are_open AS ready
  FROM rrcm.run r
  LEFT JOIN rrcm.ready_run q USING (run_id)
 CROSS JOIN LATERAL (
   SELECT EXISTS (SELECT FROM rrcm.audit a WHERE a.run_id = r.run_id AND a.state IN ('due', 'disputed')) AS are_open
 ) AS audits
 WHERE r.state = 'running'
   AND r.finished_at IS NULL
   AND r.paused_at IS NULL
   AND (q.run_id IS NOT NULL
        OR audits.are_open
        OR EXISTS (SELECT FROM rrcm.lease l JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id))
 ORDER BY r.priority DESC, r.run_id
