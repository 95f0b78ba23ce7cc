-- name: lock_trial
-- Takes an open trial of a running sweep, at this attempt, for one transaction. No row back: somebody else has it, or it
-- has moved on.
SELECT t.trial_id
  FROM rrcm.trial t
  JOIN rrcm.sweep s USING (sweep_id)
 WHERE t.trial_id = $1
   AND t.attempt = $2
   AND t.state = 'open'
   AND s.state = 'running'
   FOR UPDATE OF t SKIP LOCKED
