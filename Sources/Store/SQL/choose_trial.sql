-- name: choose_trial
-- Opens the best trial of a running sweep once more, to be certified on other images, when all have ended. No row back
-- when it was chosen before, has nothing to be certified on, or there is no best one.
WITH best AS MATERIALIZED (
  SELECT b.trial_id
    FROM rrcm.sweep_trial b
   WHERE b.sweep_id = $1
     AND b.rank = 1
   ORDER BY b.trial
   LIMIT 1
)
UPDATE rrcm.trial t
   SET chosen = true,
       state = 'open',
       finished_at = NULL
  FROM best, rrcm.sweep s
 WHERE t.trial_id = best.trial_id
   AND s.sweep_id = $1
   AND s.state = 'running'
   AND t.state = 'done'
   AND NOT t.chosen
   AND t.confirm_spec IS NOT NULL
   AND NOT EXISTS (SELECT FROM rrcm.trial o WHERE o.sweep_id = $1 AND o.state = 'open')
RETURNING t.number
