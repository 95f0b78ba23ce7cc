-- Undoes 0005: sweeps and trials are forgotten; their runs, votes and certificates stay.
DROP FUNCTION rrcm.sweep_query;
DROP VIEW rrcm.sweep_progress, rrcm.trial_accuracy, rrcm.sweep_trial, rrcm.sweep_run;
DROP FUNCTION rrcm.average_certified_radius, rrcm.certified_accuracy;
DROP TABLE rrcm.trial_run, rrcm.trial, rrcm.sweep;
DROP TYPE rrcm.trial_step, rrcm.trial_state, rrcm.sweep_state;
