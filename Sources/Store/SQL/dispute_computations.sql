-- name: dispute_computations
-- What workers found when they computed the chunks of these audits again. What a worker in quarantine found does not count.
SELECT c.audit_id,
       c.worker_id,
       c.classes,
       c.votes
  FROM rrcm.audit_computation c
  JOIN rrcm.worker w USING (worker_id)
 WHERE c.audit_id = ANY ($1::bigint[])
   AND w.quarantined_at IS NULL
 ORDER BY c.audit_id, c.posted_at, c.worker_id
