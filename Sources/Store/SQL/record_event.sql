-- name: record_event
INSERT INTO rrcm.event (kind, run_id, worker_id, detail)
VALUES ($1, $2, $3, $4)
