-- name: open_trials
-- Trials of a running sweep that have not ended.
SELECT t.trial_id,
       t.number,
       t.attempt,
       t.chosen,
       t.parameters::text AS parameters,
       t.finetune_spec::text AS finetune_spec,
       t.certify_spec::text AS certify_spec,
       t.confirm_spec::text AS confirm_spec
  FROM rrcm.trial t
 WHERE t.sweep_id = $1
   AND t.state = 'open'
 ORDER BY t.number
