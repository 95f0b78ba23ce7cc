-- name: running_sweeps
SELECT sweep_id,
       name,
       state::text AS state,
       spec::text AS spec,
       metric,
       sigma::text AS sigma,
       goal,
       software
  FROM rrcm.sweep
 WHERE state = 'running'
 ORDER BY sweep_id
