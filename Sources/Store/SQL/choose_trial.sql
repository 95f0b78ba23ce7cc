-- name: choose_trial
-- Opens the best of the trials of a running sweep that are done once more, to be certified on other images, when all have ended. No row back
-- when it was chosen before, has nothing to be certified on, or there is no best one.
WITH best AS MATERIALIZED (
  SELECT b.trial_id
    FROM rrcm.sweep_trial b
    JOIN rrcm.trial d USING (trial_id)
   WHERE b.sweep_id = $1
     AND b.rank IS NOT NULL
     AND d.state = 'done'
   ORDER BY b.rank, b.trial
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
   AND NOT EXISTS (SELECT FROM rrcm.trial o WHERE o.sweep_id = $1 AND o.chosen)
   AND t.confirm_spec IS NOT NULL
   AND NOT EXISTS (SELECT FROM rrcm.trial o WHERE o.sweep_id = $1 AND o.state = 'open')
RETURNING t.number
