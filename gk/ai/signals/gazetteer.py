"""Words that tell names apart: first names, places, and what stands before or within names. All folded."""

FIRST_NAMES = frozenset(
    """
    mairead siobhan niamh aoife caoimhe ciara roisin saoirse fionnuala eoghan oisin cormac padraig solenn soizic
    gwenole erwan nolwenn enora maelys anouk pieter jolanda noor maarten joost sanne femke bram ngozi percival
    djibril aminata fatoumata mamadou ousmane moussa ibrahima khaled nour yasmin hana kenji yuki wei ling priyanka
    anil sunita deepak arjun sanjay vikram rohan kavita chidi emeka tunde adaeze kwame kofi abena runa leif ingvar
    bjorn sigrid solveig torsten gunnar henrik dmitri piotr agnieszka katarzyna wojciech zoran svetlana oksana
    mykola ivana pavel jana alejandro ximena paloma rafael luciano giulio bruna joana tiago yvan agathon ansel
    basile bastian bertrande cleo cyprien diego elisabetta fadila faustin fleurette gaetane gustav hadrien hedi
    hicham idriss ilse imane ingo joaquin kadija karima keziah kurt lamia leandre lilou linnea lisbeth lorna lucian
    ludmila mads mamie marek mirela mounir nabila nadim naim nelson nikos odilon oriane otis quincy raissa rayan
    reda rosamund roxanne salma sami selim silas solal soren tariq tess tibor tove ulla uma viktor wassim wilhelmina
    yara younes zainab zeynep zora adam adele adeline adrien adrienne agathe agnes ahmed aicha aidan aime aimee
    alain alan albert alberto albane alec aleksander alex alexandra alexandre alexis alfred ali alice alicia aline
    alison alistair alix alma alphonse amanda amandine amara amber ambre amelie amina amir amy ana anais anatole
    andrea andreas andrew andy angela angele angelique angus anita ann anna annabel anne annette annick annie
    antoine antonia antonio antony anya april arielle arlette armand armelle arnaud arthur asha astrid aubin aude
    audrey august auguste augustin aurelie aurelien aurore ava axel axelle aya barbara baptiste barnaby barry
    bastien beatrice beatrix ben benedict benedicte benjamin benoit bernadette bernard bertha berthe bertrand beth
    bettina betty bill billy blaise blanche bob boris brendan brenda brian bridget brigitte bronwen bruce bruno
    bryan caleb callum calum camille carine carl carla carlos carmen carol carole caroline cassandra catherine cathy
    cecile cecilia cedric celeste celestin celia celine chantal charles charlie charlotte chiara chloe chris
    christelle christian christiane christina christine christophe christopher claire clara clarisse claude
    claudette claudia claudine clemence clement clementine clive clotilde coline colette colin connor constance
    constantin coralie corentin corinne cyril cyrille daisy dalila damian damien dan daniel daniela daniele danielle
    danny daphne dave david deborah declan delphine denis denise dennis derek desmond diana diane didier dieter
    dilys dimitri dominic dominique donald donna dora doris dorothee dorothy doug douglas duncan dylan eamon ed
    eddie edgar edith edmond edmund edouard edward edwige edwin eileen elaine eleanor eleonore elena elias eliane
    elie eline elisa elisabeth elise eliott eliza elizabeth ella ellen eloise elodie elsa emeline emile emilia
    emilie emily emma emmanuel emmanuelle enzo eric erica erik erika erin ernest esme estelle esther ethan etienne
    eugene eugenie eva evan eve evelyne evelyn ewan fabian fabien fabienne fabrice fanny farid fatima fatou faustine
    felicie felicity felix ferdinand fergus fernand fiona firmin flavie fleur flora florence florent florian
    francesca franck francis francisco franck francois francoise frank fred freda freddie frederic frederick
    frederique freya gabin gabriel gabriela gabrielle gael gaelle gaetan gareth gary gaspard gauthier gavin gemma
    genevieve geoff geoffrey geoffroy george georges georgette georgia georgina gerald geraldine gerard germain
    germaine ghislain ghislaine giles gilbert gilles gina ginette giovanni giulia gladys glen gloria gordon grace
    graham greg gregoire gregor gregory greta guilhem guillaume gustave guy gwen gwenaelle hakim hamid hannah hans
    harold harriet harry harvey hassan hattie hazel heather hector hedwige heidi helen helena helene heloise henri
    henriette henry herbert hermine herve hilary hilda holly honore hortense howard hubert hugh hugo hugues huguette
    ian ibrahim ida igor ilan ines ingrid irene iris isaac isabel isabella isabelle ismael isobel ivan ivy jack
    jackie jacob jacqueline jacques jade jake jamal james jamie jan jane janet janine jasmine jason jasper jay jean
    jeanne jeannine jeff jeffrey jen jennifer jenny jeremie jeremy jerome jess jessica jill jim jimmy jo joan joanna
    joanne joao jocelyn jocelyne joe joel joelle joey johan johanna john johnny jon jonas jonathan jordan jordane
    jorge jose joseph josephine josette josh joshua josiane juan judith judy jules julia julian julie julien juliet
    juliette june justin justine kamel karen karim karin karine karl kate katherine kathleen kathryn kathy katia
    katie katrina kay keith kelly ken kenneth kerry kevin khadija kieran kim kirsten kirsty klaus lara lars latifa
    laura laure laurence laurent laurette lauriane laurie lea leah leila lena leo leon leona leonard leonie leonora
    leopold leslie lewis liam lila lilian liliane lily lina linda line lisa lise lison liz lloyd loic lola lorenzo
    lorraine lou louis louisa louise luc luca lucas luce lucette lucia lucie lucien lucienne lucile lucy ludivine
    ludovic luis luke lydia lydie lynn mabel maddy madeleine mael maelle maeva magali magalie maggie magnus malcolm
    malik malo manon manuel manuela marc marceau marcel marceline marcelle marco marcus margaret margaux margot
    marguerite maria marian marianne marie marielle marina marine mario marion marius marjorie mark marlene marta
    martha martial martin martina martine mary maryam maryline maryse mathias mathieu mathilde mathis matilda matt
    matteo matthew matthias matthieu maud maude maurice max maxime maximilien maxine may maya megan mehdi mei
    melanie melina melissa melodie mercedes mia michael micheal michel michele micheline michelle miguel mike mila
    mildred milo mina miranda miriam mireille mohamed mohammed moira molly mona monica monique morag morgan morgane
    moses mourad muriel myriam nabil nadege nadia nadine naima naomi natacha natalia natalie natasha nathalie nathan
    nathaniel ned neil nell nelly nestor niall nicholas nick nicola nicolas nicole nigel nils nina noa noah noe noel
    noelie noelle noemie nora norah norbert norma norman octave odette odile olga oliver olivia olivier omar ophelie
    orla oscar oswald otto owen pablo paddy pam pamela paola pascal pascale pat patrice patricia patrick paul paula
    paulette paulin pauline pedro peggy penelope penny percy perrine pete peter petra phil philibert philip philippa
    philippe philomene phoebe pia pierre pierrette pierrick polly prisca priscilla priya quentin rachel rachid raj
    ralph ramon raoul raphael raphaelle raul ray raymond raymonde rebecca regine regis reine remi remy renata renaud
    rene renee reuben rhys ricardo richard rita rob robert roberto robin robyn rod roderick rodolphe rodrigue roger
    roland roman romain romane romeo romuald ron ronald ronan rory rosa rosalie rosaline rose roselyne rosemary
    rosie ross roxane roy ruben ruby rupert russell ruth ryan sabine sabrina sacha said salim sally salome salvador
    sam samantha samia samir samira samuel sandra sandrine sandy sara sarah saskia scott sean sebastian sebastien
    segolene selim selma serena serge sergio severine shane sharon sheila shirley sibylle sid sidonie sidney
    siegfried simeon simon simone sofia sofiane solange solene sonia sophia sophie soraya stacy stan stanislas
    stella stephan stephane stephanie stephen steve steven stewart stuart sue susan susanna suzanne suzie suzy sven
    sybille sylvain sylvaine sylvia sylviane sylvie tamara tamsin tania tanguy tanya tara tatiana ted teddy terence
    teresa terry tess thea theo theodora theodore theophile theresa therese thibaud thibault thierry thomas tiffany
    tim timothee timothy tina tobias toby todd tom tommy tony tracy trevor trevor tristan ugo ulrich ulysse una
    ursula ursule valentin valentina valentine valerie vanessa vera veronica veronique vic vicky victoire victor
    victoria victorien vince vincent viola violet violette violaine virgil virginia virginie vivian viviane vivien
    vivienne wade walter wanda wayne wendy wilfrid will willem william willy winifred xavier yael yan yanis yann
    yannick yasmina yasmine yoann yohan yolande youssef yuri yusuf yves yvette yvon yvonne zachary zack zelie zoe
    """.split()
)

PLACES = frozenset(
    """
    france paris lyon marseille toulouse nice nantes strasbourg montpellier bordeaux lille rennes reims grenoble
    dijon angers nimes brest tours limoges amiens metz nancy rouen caen orleans avignon bretagne normandie alsace
    provence corse bruxelles brussels belgique belgium suisse switzerland geneve geneva lausanne zurich luxembourg
    quebec montreal canada london londres england angleterre scotland ecosse wales ireland irlande dublin cork
    galway belfast edinburgh glasgow cardiff manchester liverpool leeds bristol birmingham sheffield york oxford
    cambridge brighton newcastle nottingham germany allemagne berlin munich hamburg spain espagne madrid barcelona
    barcelone italy italie rome milan portugal lisbon lisbonne porto netherlands amsterdam rotterdam copenhagen
    denmark sweden stockholm norway oslo finland helsinki poland warsaw prague vienna austria greece athens turkey
    istanbul morocco maroc tunisia tunisie algeria algerie senegal dakar japan tokyo china chine beijing shanghai
    india inde mumbai delhi singapore australia sydney melbourne brazil bresil mexico mexique usa chicago boston
    seattle houston texas california europe africa afrique asia asie
    """.split()
)

TITLES = frozenset(
    """
    m mme mlle me mr mrs ms miss dr prof sir lady maitre monsieur madame mademoiselle docteur professeur
    professor doctor tante oncle aunt auntie uncle tata tonton papi mamie grandma grandpa barrister captain
    """.split()
)

SUFFIXES = frozenset("sas sarl sa eurl sci scop snc ltd limited llc llp inc plc gmbh ag bv nv spa srl oy ab corp co "
    "cie & fils & sons".split()) - {"&", "fils", "sons"}  # fmt: skip

HEADS = frozenset(
    """
    societe ste groupe cabinet association mairie banque pharmacie imprimerie cuisines ecole universite lycee
    college clinique hopital chu librairie restaurant federation reseau institut agence maison garage boulangerie
    menuiserie transports laboratoire laboratoires editions atelier ateliers cooperative syndicat communaute conseil
    prefecture tribunal urssaf ministere departement chambre office comite centre residence hotel domaine ferme
    assurances assurance mutuelle fonds fondation compagnie etablissements ets entreprise studio studios opco
    theatre musee mission collectif club sante boutique salon organisme crous caisse credit registre portail union
    ligue university bank school company department ministry council institute foundation association society
    """.split()
)

TAILS = frozenset(
    """
    media hosting practice hospice herald gazette times kennels studio studios trust council estates estate design
    fonts retail cooperative co-op club society foundation partners consulting group agency insurance energy college
    school university hospital clinic bakery brewery books press bank logistics shipping maritime software systems
    solutions technologies technology labs lab services service support solicitors chambers accountants architects
    associates brothers bros engineering motors garage nursery gardens museum library theatre gallery institute
    academy union league federation network networks digital security analytics ventures capital holdings industries
    manufacturing foods farms farm farmers dairy catering events travel tours airlines railways hotel inn restaurant
    pharmacy dental surgery vets consultants distribution transport transports conseil consultants paysages courtage
    assurances immobilier expertise
    """.split()
)

STREETS = frozenset(
    "rue quai avenue boulevard bd impasse chemin allee place square route passage cours esplanade salle gare".split()
)
ROADS = frozenset("street road lane avenue square hill close drive terrace court bridge park way row walk wharf quay "
    "mews crescent grove gardens house hall".split())  # fmt: skip

# Words that begin sentences, greet, take leave or name days: never names by themselves.
COMMON = frozenset(
    """
    a about above according account after afterwards again all alors although always am an and another any anyone
    anything apart are as ask assez at attached attention au aucun aucune aujourd aurais aussi autre aux auriez
    avant avec avez avis avoir avons be because been before best bien bientot bises bisous bon bonjour bonne bonsoir
    both bravo but by c ca call can cannot car ce cela celle celui cependant certains ces cet cette ceux chaque
    cheers cher chere cheres chers ci cleared click clearly combien comme comment compte concernant confirm
    congratulations contact cordialement could croyez d dans de dear dearest dearest delighted demain depuis des
    desole desolee despite did dimanche do does don done donc dont du due during each eh either elle elles email en
    encore enfin english enjoy est et etant etes etre eu even every everybody everyone everything excellent except
    excuse faire fait felicitations few file finally first for forte friday from further fwd gentil given good grand
    greetings gros had hardly has have having he hello help hence her here hereby hi his hope how however i if
    ignore il ils in instead is isn it its j je jeudi joint juste just kind kindly l la last lastly later le les let
    leur leurs like live look lovely lui lundi m ma madame mais mardi may maybe me meanwhile meme merci mercredi mes
    messieurs might minutes moi moins mon monday monsieur more moreover morning most must my n ne nearly need never
    new next no nobody non none nor nos not note nothing notre nous now number o objet oh ok okay old on once one
    only or ou oui our out over par parce pardon pas pendant perhaps personne peut peux plus pour pourquoi pourrais
    pourriez pouvez pouvons pourtant please possible ps puis qu quand quant que quel quelle quelles quels quelqu
    question questions qui quite quoi rappel re received regards regarding reply right s sa sadly salut salutations
    samedi sans sauf saturday se selon sent sera ses shall she should si sinon since sincerely sir so soit some
    somebody someone something son soon sorry still subject sujet suite sunday sur sure ta talk tant te team tel
    telle tes test text thank thanks that the their them then there therefore these they this those though three
    through thursday thus to today toi tomorrow ton tonight too toujours tous tout toute toutes tr tres trop tu
    tuesday two un une under unless until up us usually v very via view vient voici voila vos votre vous vu was we
    wednesday well were what when where whether which while who whoever whole why will wishes with within without
    would x y yes yesterday yet you your yours janvier fevrier mars avril mai juin juillet aout septembre octobre
    novembre decembre january february march april june july august september october november december vendredi
    internet web wifi pdf excel word usb sms api url http https tva ttc ht iban vat ceo cfo cto hr rh sav faq id ip
    html csv windows linux android iphone mac sql php java python facture devis commande livraison ticket invoice
    order quote offer appel projet bulletin lettre newsletter resume sommaire reminder alert alerte warning critical
    error status state host check value console poste heure regle tel telephone tél phone mobile fax mob portable
    ligne directe adresse address service direction responsable directeur directrice manager director head chef
    office bureau secretariat secretaire comptable comptabilite juriste avocat notaire president presidente gerant
    gerante consultant conseiller conseillere assistant assistante technicien technicienne pc costumer customer
    customers client clients user users member members friend friends winner colleague colleagues readers reader
    neighbours voisins lecteurs lectrices adherents abonnes amis collegues equipe parents beneficiaire english
    french francais francaise anglais anglaise german allemand noel paques easter christmas toussaint ramadan
    """.split()
)

PLACED = frozenset("in near around towards leaving via vers depuis pres jusqu outside".split())
AFFILIATED = frozenset(
    ("chez societe company firm supplier fournisseur client maison association entreprise employer by").split()
)
