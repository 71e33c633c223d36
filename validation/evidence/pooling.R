# Pool the examples of tests/reference/evidence with metafor, an independent program.
# Rscript validation/evidence/pooling.R > tests/reference/evidence/pooling_metafor.csv
suppressPackageStartupMessages(library(metafor))
events <- list(spread = c(10, 22, 5, 30), alike = c(12, 25, 8), edge = c(0, 3, 8))
sizes <- list(spread = c(20, 30, 16, 41), alike = c(24, 49, 17), edge = c(16, 20, 8))
report <- function(name, transform, fit, back) {
  cat(paste(name, transform, fit$k, format(fit$tau2, digits = 12), format(fit$QE, digits = 12),
            format(back(fit$beta[1]), digits = 12), format(back(fit$ci.lb), digits = 12),
            format(back(fit$ci.ub), digits = 12), sep = ","), "\n", sep = "")
}
cat("case,transform,k,tau2,q,estimate,lower,upper\n")
for (name in names(events)) {
  e <- escalc("PLO", xi = events[[name]], ni = sizes[[name]], add = 0.5, to = "only0")
  report(name, "logit", rma(yi, vi, data = e, method = "PM", test = "adhoc"), transf.ilogit)
  f <- escalc("PFT", xi = events[[name]], ni = sizes[[name]])
  harmonic <- function(x) transf.ipft.hm(x, targs = list(ni = sizes[[name]]))
  report(name, "freeman_tukey", rma(yi, vi, data = f, method = "PM", test = "adhoc"), harmonic)
}
bcg <- escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
fit <- rma(yi, vi, data = bcg, method = "PM", test = "adhoc")
report("bcg", "none", fit, identity)
cat("# R", as.character(getRversion()), "metafor", as.character(packageVersion("metafor")), "\n")
