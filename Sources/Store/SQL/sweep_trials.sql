-- name: sweep_trials
-- A sweep's trials, the best first, those without a rank last.
SELECT trial,
       rank,
       value,
       metric,
       parameters::text AS parameters,
       state::text AS state,
       step::text AS step,
       attempt,
       sigma::text AS sigma,
       certified_accuracy,
       acr,
       loss,
       chosen,
       confirmed_accuracy,
       confirmed_acr,
       finetune_run_id,
       certify_run_id,
       confirm_run_id,
       checkpoint_digest,
       error
  FROM rrcm.sweep_trial
 WHERE sweep_id = $1
 ORDER BY rank, trial
