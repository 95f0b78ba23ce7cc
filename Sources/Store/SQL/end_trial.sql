-- name: end_trial
-- Ends an open trial at this attempt. No row back means that it has ended or moved on.
UPDATE rrcm.trial
   SET state = $3::rrcm.trial_state,
       error = $4,
       finished_at = now()
 WHERE trial_id = $1
   AND attempt = $2
   AND state = 'open'
RETURNING trial_id
