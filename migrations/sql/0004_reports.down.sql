-- Undoes 0004: drops the views, and the imported logs. Own certificates are not touched; keep the logs' files.
DROP VIEW
  rrcm.similar_run, rrcm.image_cost, rrcm.certificate_pair, rrcm.report_histogram, rrcm.report_accuracy,
  rrcm.report_level, rrcm.report_result;
DROP TABLE rrcm.imported_certificate, rrcm.imported_log, rrcm.imported_run;
