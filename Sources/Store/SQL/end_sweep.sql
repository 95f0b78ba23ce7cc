-- name: end_sweep
-- Ends a running sweep that has no open trial.
UPDATE rrcm.sweep s
   SET state = 'done',
       finished_at = now()
 WHERE s.sweep_id = $1
   AND s.state = 'running'
   AND NOT EXISTS (SELECT FROM rrcm.trial t WHERE t.sweep_id = s.sweep_id AND t.state = 'open')
RETURNING s.sweep_id
