module corepilot.test/gotemplate-oracle

go 1.22
