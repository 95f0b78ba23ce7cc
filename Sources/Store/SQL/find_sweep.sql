-- name: find_sweep
-- By number or name.
SELECT sweep_id,
       name,
       state::text AS state,
       spec::text AS spec,
       metric,
       sigma::text AS sigma,
       goal,
       software
  FROM rrcm.sweep
 WHERE sweep_id::text = $1
    OR name = $1
 ORDER BY (sweep_id::text = $1) DESC
 LIMIT 1
