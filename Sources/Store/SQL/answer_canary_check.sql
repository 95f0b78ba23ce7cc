-- name: answer_canary_check
UPDATE rrcm.canary_check c
   SET logits_digest = $4,
       answered_at = now()
  FROM rrcm.worker w
 WHERE c.audit_id = $1
   AND c.worker_id = $2
   AND w.worker_id = c.worker_id
   AND w.epoch = $3
   AND w.quarantined_at IS NULL
   AND c.answered_at IS NULL
