-- name: insert_trial_run
INSERT INTO rrcm.trial_run (trial_id, step, attempt, run_id)
VALUES ($1, $2::rrcm.trial_step, $3, $4)
