-- name: pause_run
-- Pauses a run that has not ended: nothing of it is handed out any more. Once paused it stays paused since the same time.
-- Its leases are returned next, in the same transaction; a training hands itself back once it hears of it.
UPDATE rrcm.run
   SET paused_at = coalesce(paused_at, now())
 WHERE run_id = $1
   AND finished_at IS NULL
RETURNING paused_at = now() AS paused_now
