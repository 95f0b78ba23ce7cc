-- name: lock_ending_runs
-- Locks the runs that seem to have nothing left to do, so that whoever opens items of them anew (retry) comes first and is seen
-- by finish_certify_runs, or waits for it.
SELECT r.run_id
  FROM rrcm.run r
 WHERE r.state = 'running'
   AND EXISTS (SELECT FROM rrcm.item i WHERE i.run_id = r.run_id)
   AND NOT EXISTS (SELECT FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'open')
   AND NOT EXISTS (SELECT FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'claimed')
 ORDER BY r.run_id
   FOR NO KEY UPDATE OF r
