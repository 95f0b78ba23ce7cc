-- name: work_to_come
-- Whether runs of kinds $1 that nobody can claim yet may become ready for worker $2: submitted ones, those a sweep will still make, and
-- audits that are open. Apart from that, whether items of audited runs wait for their certificates, with which audits are drawn.
WITH mine AS MATERIALIZED (
  SELECT r.run_id
    FROM rrcm.run r
    JOIN rrcm.certification p USING (run_id)
    JOIN rrcm.worker w ON w.worker_id = $2
   WHERE r.state = 'running'
     AND r.paused_at IS NULL
     AND p.audit_share > 0
     AND r.kind::text = ANY ($1)
     AND w.numerics_ids && r.numerics_ids
)
SELECT EXISTS (SELECT FROM rrcm.run r WHERE r.state = 'submitted' AND r.kind::text = ANY ($1))
       OR EXISTS (SELECT FROM rrcm.sweep s WHERE s.state = 'running')
       OR EXISTS (SELECT FROM rrcm.audit a JOIN mine USING (run_id) WHERE a.state IN ('due', 'disputed')) AS coming,
       EXISTS (SELECT FROM rrcm.item i JOIN mine USING (run_id) WHERE i.state = 'claimed') AS awaiting
