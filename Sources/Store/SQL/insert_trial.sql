-- name: insert_trial
-- Adds a trial to a running sweep; one that is there already stays as it is. Never two of one number or one point.
INSERT INTO rrcm.trial (sweep_id, number, parameters, finetune_spec, certify_spec, confirm_spec)
SELECT s.sweep_id,
       $2,
       $3::jsonb,
       $4::jsonb,
       $5::jsonb,
       $6::jsonb
  FROM rrcm.sweep s
 WHERE s.sweep_id = $1
   AND s.state = 'running'
ON CONFLICT DO NOTHING
RETURNING trial_id
