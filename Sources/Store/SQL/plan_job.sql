-- name: plan_job
INSERT INTO rrcm.job (run_id, steps)
VALUES ($1, $2)
