-- name: open_canary_checks
-- Audits of run $1 for which worker ($2, $3) is asked to compute the canary again.
SELECT c.audit_id
  FROM rrcm.canary_check c
  JOIN rrcm.audit a USING (audit_id)
  JOIN rrcm.worker w ON w.worker_id = c.worker_id
 WHERE a.run_id = $1
   AND a.state = 'disputed'
   AND c.worker_id = $2
   AND c.answered_at IS NULL
   AND w.epoch = $3
   AND w.state = 'live'
