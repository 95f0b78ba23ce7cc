-- name: dispute_canaries
-- What workers answered that were asked for their canary in these audits. Silent is one that did not answer within $2 seconds, or cannot any more.
SELECT c.audit_id,
       c.worker_id,
       c.logits_digest,
       c.answered_at IS NULL AND (w.state <> 'live' OR c.asked_at < now() - make_interval(secs => $2)) AS silent
  FROM rrcm.canary_check c
  JOIN rrcm.worker w USING (worker_id)
 WHERE c.audit_id = ANY ($1::bigint[])
